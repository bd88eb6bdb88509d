"""Do the tests bite? Each guard of the product is removed in turn, and its tests have to turn red."""
