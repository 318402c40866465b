//! Criterion benches of Vernier; see `README.md` beside this file.
