{{ config(severity='warn') }}
select * from {{ ref('prices') }} where price = 0
