"""The library the pipeline's stages stand on. It knows nothing of the stages."""
