"""Whether a run works, told from numbers alone.

spread    generated pictures beside real ones: how much they vary, how far away they lie
signs     what one look at a run shows
judge     what look after look amounts to: a verdict, since when, by which numbers
advice    the likely cause, and which option to change

Nothing here trains, draws or reads files: `training` measures, `workflows` calls, and `sagan doctor` judges a log afterwards
by the same code that judged the run while it trained.
"""
