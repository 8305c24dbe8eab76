"""The shared core: latents, objectives, training and metrics. It knows neither words nor pixels."""
