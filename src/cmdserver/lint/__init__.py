"""What a good configuration allows and perhaps does not mean: rules, and what is known of programs that run others.

For ``cmdserver check --lint``. Pure but for `file_facts`, which looks at files. It must not know how findings are
printed, nor change what is run.

May import: config, core, parameters.
"""
