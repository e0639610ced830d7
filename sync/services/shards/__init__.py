"""一次运行的分片:一个分片从排队到结束,谁在哪里改变它的状态。

                      register
                         │
                         ▼        wake (revive)
    cancel, parked ◄── QUEUED ◄───────────────── WAITING ──► cancel, parked
       CANCELLED         │  ▲                       ▲          CANCELLED
                   claim │  │ finish: put back      │
                         ▼  │                       │ finish: no calls left
                      RUNNING ──────────────────────┘
                      │     │
               finish │     │ reap: its process is dead
                      ▼     ▼ finish: somebody at a terminal stopped it
        DONE, FAILED,    INTERRUPTED ──► revive: QUEUED again, in the background;
          CANCELLED                      FAILED after ATTEMPTS claims

Read in this order:

    register   store a run and its shards, send the jobs
    cut        how many shards a run is cut into
    jobs       a job carries a shard's number and nothing else
    claim      claim a shard (compare-and-swap), execute it, take the next
    execution  one shard: lease tokens market by market, hand them to the engine
    leasing    where its tokens come from; when to wait, and when to stop waiting
    turns      when its worker is for another run
    telling    what it waits for and why it failed, in words
    finish     write what it came to, or put it back
    states     a shard's new state, and the run's that follows from all of them
    parked     a run that waits for calls: what to do if it is asked for again
    reap       mark what dead processes have left as interrupted
    revive     queue it again, wake what waits, send lost jobs again

Every arrow is one UPDATE that repeats the state and the fence it has seen; whoever
comes second finds no row.
"""
