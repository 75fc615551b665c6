select stg_payments.payment_id
from {{ ref('stg_payments') }} as stg_payments
left join {{ ref('stg_orders') }} as stg_orders
    on stg_payments.order_id = stg_orders.order_id
where stg_orders.order_id is null
