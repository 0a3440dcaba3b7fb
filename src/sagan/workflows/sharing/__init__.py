"""Generators on the Hugging Face Hub: a folder of seven files, sent there and fetched from there.

names      hf:user/name@revision
layout     which files a shared folder has, and how large each may be
making     a run, a checkpoint or a generator -> the files of a shared folder
transfer   the files to the Hub and back; the only place that imports huggingface_hub
faults     what goes wrong there, in our words
"""
