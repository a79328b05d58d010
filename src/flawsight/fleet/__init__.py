"""Many products: each becomes a bundle, by as many workers as there are, with one page about all."""

from flawsight.fleet.fit_all import FitAllResult, fit_all, run_fit_all
from flawsight.fleet.products import Product, find_products
from flawsight.fleet.row import ProductRow

__all__ = ["FitAllResult", "Product", "ProductRow", "find_products", "fit_all", "run_fit_all"]
