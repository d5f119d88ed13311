"""What the dashboards show: figures with their definitions and the rows behind them."""
