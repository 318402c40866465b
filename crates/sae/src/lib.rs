//! Sparse autoencoders: formats, encode, decode, training.
