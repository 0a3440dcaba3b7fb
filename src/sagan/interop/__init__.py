"""Checkpoints of other projects, opened as ours. Their names stop here: no other room knows one.

pickles        a pickle read as data: a small machine for the few instructions that torch.save writes, and nothing else
named          what the names in a pickle stand for, and tensors noted down
torch_files    torch's two file formats: where each tensor's numbers lie
confine        what the reading process gives up before it looks at a file
child          that process: a foreign file comes in, safetensors bytes go out
sandbox        starts it, watches it, and checks what it says with our own reader
source         a foreign state dict whose tensors are taken one by one, so that none is forgotten
kinds          how one layer of theirs becomes one of ours, in each style of spectral norm and batch norm
convert        a table of such layers to our two networks
recognise      whose file it is
inception      the FID network's published weights
studiogan, biggan, mimicry, mmgeneration, heykeetae      one table each, with what differs in their arithmetic
"""
