"""The live page: looks at the ledger while somebody watches, and shows what it sees to a browser.

It reads the ledger and nothing else, so it works from any machine that reaches that, and may come and go without a run
noticing. All that it can write is a run's command: pause, continue, stop.
"""
