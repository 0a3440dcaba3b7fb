"""Sets too large to be looked at whole: read from shards while training goes on, in an order that one integer rebuilds.

    sagan train stream:shards/                            a folder of Parquet, Arrow or tar files
    sagan train 'stream:s3://bucket/photos/*.parquet'     any address that fsspec opens

files.py     which shards there are, and how they are opened
listing.py   their pieces: how many pictures, where; never the pictures
mixing.py    which picture stands at which position: pure functions
lane.py      reading a part of that order from any place on
batches.py   endless batches, in this process or with others
opening.py   what training needs to know before it starts
"""

from __future__ import annotations
