"""A set that was decoded once: squares of one size in plain files, with all that was found out about the pictures.

layout    the files, and what each must hold
writing   from any source to a pack, shard by shard; goes on where it was broken off
reading   a pack as a source that needs no decoding

A pack is a folder. Each shard of it is `00000.pixels`, the usable squares one after the other as bytes (R, R, C), and
`00000.index`, a safetensors file about all pictures of that stretch of the source, the unusable ones included: names, labels,
which were kept, digests, checksums. `pack.json` is written last and makes it a pack. Names, labels and digests are those of
the source, and so are the fingerprint of the set and the order of training.
"""
