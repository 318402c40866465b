//! Editors of one residual vector, their effects, and the mediated share.
