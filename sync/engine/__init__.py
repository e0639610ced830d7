"""批量引擎:用许多 Token、许多通道把股票的 K 线取回来;只用标准库。

No Django, no clock of its own, no I/O: what it needs of the world comes through the
protocols of `ports`. To read in this order; each imports only from those above it.

    errors       what can go wrong, as a tree
    depth        how far back a token's plan sees, learned from its answers
    ports        the values it works with, and what it asks of the world
    periods      how long a K-line is
    markets      time zones and sessions: from a stamp to a trade date
    stock_codes  how a stock's code is written
    plan         how many lanes, which tokens each gets, how often things are looked at
    coverage     which dates are there for good, and what is missing
    overlap      whether stored bars are what the provider still has
    paging       from the newest page of one stock to its oldest
    sampling     a random sample, and how sure it makes one
    silence      stocks of which the provider has nothing
    splits       which way a ratio is meant, and whether bars were adjusted for it
    pacing       when one token may be asked again
    snapshot     what each lane does just now, for who looks on
    messages     what lanes tell the coordinator, and the queue that carries it
    token_pool   the tokens of a run: calls reserved, leases renewed, all given back
    breaker      whether the provider is down
    caller       one question until it is answered: other tokens, rests, attempts
    search       older and older pages of one stock: whom to ask, and where it ends
    sharing      several stocks in one call
    queues       which lane works on which stock
    lanes        take, fetch, report: one thread each
    garbage      why Python's collector is held back meanwhile
    runner       the coordinator: deals, writes, reports, stops
"""
