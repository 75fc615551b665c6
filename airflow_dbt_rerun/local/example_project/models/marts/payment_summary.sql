select
    payment_method,
    count(*) as number_of_payments,
    sum(amount) as amount
from {{ ref('stg_payments') }}
group by 1
