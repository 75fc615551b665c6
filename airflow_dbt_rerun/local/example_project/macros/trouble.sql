{# Sleep or fail as failures.json requests for this node (see README.md). Return the request, or none. #}
{% macro trouble_on_request() %}
  {%- if execute and target.type == 'duckdb' -%}
    {%- set request = requested_trouble(model.name) -%}
    {%- if request -%}
      {%- do run_query("copy (select 1) to '" ~ trouble_path(model.name, invocation_id) ~ "' (format csv)") -%}
      {%- if request.seconds -%}
        {%- do run_query('select sleep_ms(' ~ (request.seconds * 1000) | int ~ ')') -%}
      {%- endif -%}
      {%- if request.message -%}
        {%- do run_query("select error('" ~ request.message | replace("'", "''") ~ "')") -%}
      {%- endif -%}
      {{- return(request) -}}
    {%- endif -%}
  {%- endif -%}
  {{- return(none) -}}
{% endmacro %}


{% macro trouble_path(node, invocation) %}
  {{- return(env_var('DBT_LOCAL_STATE', '.state') ~ '/troubled.' ~ node ~ '.' ~ invocation) -}}
{% endmacro %}


{% macro requested_trouble(node) %}
  {%- set requests = env_var('DBT_LOCAL_STATE', '.state') ~ '/failures.json' -%}
  {%- if run_query("select * from glob('" ~ requests ~ "')") | length == 0 -%}
    {{- return(none) -}}
  {%- endif -%}
  {%- set due -%}
    select message, failures, seconds
    from read_json('{{ requests }}', columns = {
      node: 'varchar', times: 'integer', message: 'varchar', failures: 'integer', seconds: 'double'
    })
    where node = '{{ node }}'
      and (times < 0 or coalesce(times, 1) > (select count(*) from glob('{{ trouble_path(node, '*') }}')))
  {%- endset -%}
  {{- return(run_query(due).rows | first) -}}
{% endmacro %}


{# Tests have no hooks; dbt calls these two macros for the SQL of a test just before it runs the test. #}
{% macro duckdb__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) %}
  {%- set request = trouble_on_request() -%}
  {%- if request and request.failures -%}
    {%- set main_sql = 'select * from range(' ~ request.failures ~ ')' -%}
  {%- endif -%}
  {{- return(default__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit)) -}}
{% endmacro %}


{% macro duckdb__get_unit_test_sql(main_sql, expected_fixture_sql, expected_column_names) %}
  {%- do trouble_on_request() -%}
  {{- return(default__get_unit_test_sql(main_sql, expected_fixture_sql, expected_column_names)) -}}
{% endmacro %}


{# dbt v2 does not call get_unit_test_sql, but this macro, to learn the columns of the query that a unit test checks. #}
{% macro duckdb__get_empty_subquery_sql(select_sql, select_sql_header=none) %}
  {%- if model.resource_type == 'unit_test' and dbt_version.startswith('2.') -%}
    {%- do trouble_on_request() -%}
  {%- endif -%}
  {{- return(default__get_empty_subquery_sql(select_sql, select_sql_header)) -}}
{% endmacro %}
