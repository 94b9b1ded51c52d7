"""A language model as judge: what it is asked, what it is worth on people's labels, and when it may vote."""
