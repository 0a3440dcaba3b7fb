"""A page where a click on a generated pixel shows where the network looked, and the service behind it.

Without HTTP:

scene      one picture and, of each attention layer, the queries and keys that its map is made of
shelf      ids and the checkpoints that they stand for; the last few stay open
renderer   requests in, pictures and scenes out
worker     the one thread that computes, and the bounded queue before it
live       what a run tells while it trains
uploads    pictures of strangers, kept as pixels
decoders   the processes that decode those, from the server's side
decoder    one such process, from its own side

With HTTP:

messages   what requests may say
guard      who may ask at all, and how much
tally      what happened so far, for Prometheus
answers    what goes back: pictures, arrays, pages
endpoints  one function an address
server     all of it together, on a socket

static/ holds the page: HTML, CSS and modules as the browser gets them, with nothing from elsewhere.
"""
