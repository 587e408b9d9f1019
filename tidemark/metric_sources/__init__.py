"""What the exporter looks at: each module tells one part of one source, as Prometheus' gauges."""
