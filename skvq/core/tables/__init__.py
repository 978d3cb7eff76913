"""Mixed tables: the marginals of columns, the kinds of columns, and the way from cells to features and back."""
