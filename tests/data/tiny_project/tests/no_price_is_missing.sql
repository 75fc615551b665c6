select * from {{ ref('prices') }} where price is null
