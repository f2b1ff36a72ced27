"""QuPath's GeoJSON, feature by feature."""
