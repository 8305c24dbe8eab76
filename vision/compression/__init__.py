"""Compression of images by a model that sender and receiver share: lossless, lossy, and what others reach."""

from vision.compression.baselines import baselines
from vision.compression.codec import CompressionReport, RatePoint, compress, decompress, rate_distortion

__all__ = ["CompressionReport", "RatePoint", "baselines", "compress", "decompress", "rate_distortion"]
