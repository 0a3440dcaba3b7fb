"""What a generator's latents mean: directions through them, and the way back from a picture.

directions  unit vectors along which pictures change most: principal, and in closed form
projection  the latent whose picture comes nearest to a given one
files       directions and latents as safetensors, with a record of where they come from
"""
