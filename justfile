# What a person needs, in one list. Each line is a cargo command that works without just, too.

# Everything that must hold before a change lands.
check:
    .ci/run

# All tests, with what they need.
test *words:
    cargo xtask test {{words}}

# One seed of the simulator, or many.
sim *words:
    cargo xtask simulate {{words}}

# The generated documents.
docs:
    cargo xtask docs

tidy:
    cargo xtask tidy
