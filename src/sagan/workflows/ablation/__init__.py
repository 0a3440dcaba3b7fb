"""The ablation, in parts.

rows        which questions are asked, and the record of each row
published   what the paper found, for the page
measures    what is measured on a trained generator
cells       one row with one seed: a run, what came out of it, and when it is finished
together    several cells at a time, each in a process of its own
outcome     rows over their seeds: mean, spread, difference from the row that a group compares with
pages       the table in Markdown, the chart, the page
"""
