"""One file for one fitted estimator, which holds arrays and JSON and can never run code.

A file is a safetensors file [1]_: eight bytes with the length of a JSON header, the header, and the arrays one after
the other. The header's metadata has one entry, ``skvq``, itself JSON:

- ``sha256``: digest of the whole file with these 64 digits set to zero;
- ``format``: number of this layout, 1; ``skvq_version``: what wrote it;
- ``model``: class, constructor parameters, and the fitted attributes: numbers and strings as they are, null for what is
  in arrays, and the same again for each fitted estimator inside.

The array of an attribute has its name, those of a dict or list the key behind a point, as in
``weights_.encoder.linear.bias``.

Reading trusts nothing. The class comes from a fixed table, parameters pass the class's own checks, every attribute and
every array must be one that the class's schema expects, with the dtype and the shape that follow from the rest, and
sizes are held against what is in the file before a network is described (on torch's meta device: shapes, no memory).
Only then are arrays read, their digest and their values checked.

None of the modules knows a class of this package: `container` is the file, `records` types of values, `values` small
values as JSON, `kinds` attributes with arrays, `shapes` the weights of a network, `documents` schemas and whole
estimators, `save` the function of that name. Schemas are in the rooms of their families.

References
----------
.. [1] https://github.com/huggingface/safetensors
"""
