"""What stands between the network and the pages: sign-in, headers, and the routes that are no pages."""
