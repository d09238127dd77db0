"""axonc compiles declarative neural-network specifications; the public names are loaded when first used."""
