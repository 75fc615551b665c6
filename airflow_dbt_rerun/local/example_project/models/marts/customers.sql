select
    stg_customers.customer_id,
    stg_customers.customer_name,
    min(orders.ordered_at) as first_ordered_at,
    count(orders.order_id) as number_of_orders,
    coalesce(sum(orders.amount), 0) as lifetime_value
from {{ ref('stg_customers') }} as stg_customers
left join {{ ref('orders') }} as orders
    on stg_customers.customer_id = orders.customer_id
group by 1, 2
