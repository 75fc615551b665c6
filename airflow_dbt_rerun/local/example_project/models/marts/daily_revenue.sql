select
    ordered_at as day,
    sum(amount) as revenue
from {{ ref('orders') }}
where status <> 'returned'
group by 1
