module @HOST@/@OWNER@/@SERVICE@-controller

go 1.26
