"""Which tile of a folder lies where."""
