select * from read_csv('{{ env_var("DBT_LOCAL_STATE") }}/prices.csv')
