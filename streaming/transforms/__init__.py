"""Pure transforms: a DataFrame in, a DataFrame out."""
