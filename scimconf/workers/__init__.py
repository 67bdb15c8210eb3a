"""Do jobs on the workers of an existing engine, Dask (docs/scale.md).

The engine carries JSON text whose content is sealed to the workers of a zone. `dask` is the only
module that imports the engine.
"""
