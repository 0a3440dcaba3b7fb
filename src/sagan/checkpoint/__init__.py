"""Checkpoints: safetensors and strict JSON, published by one rename, verified before use. No pickle on any path.

strict_json      JSON that means one thing, within limits
header           a safetensors header checked before anything is allocated
tensors          named tensors and one record <-> bytes
loading          loaded tensors compared with existing ones, then copied, all or nothing
migration        records of older schemas in the newest one, in memory
manifest         sizes and hashes of a checkpoint's files, and of itself
folder           run/checkpoints/step-00012000/ with its manifest: publish, verify, find the newest
retention        which checkpoints stay, and which is the best
generator_file   the one file that sampling needs
"""
