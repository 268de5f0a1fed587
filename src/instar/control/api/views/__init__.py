"""How records look in answers, one serializer per resource."""
