"""Numbers that say how near drawn pictures come to real ones, each a pure function of features.

features          what a feature network is, and the offline default and others behind one interface
frechet, kernel, inception_score, neighbours, intra_class, accuracy      the metrics
moments           mean and covariance of features that never lie in memory together
protocol          what a number was measured under; unlike protocols are not compared
real              features of the real pictures, kept in the user's cache
suite             all metrics of two sets of features;  quick: a cheap score for the training loop
nearest, leak     is a sample a copy of a training picture?
"""
