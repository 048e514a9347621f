module @HOST@/@OWNER@/@REPOSITORY@

go 1.26
