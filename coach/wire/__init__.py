"""What travels over HTTP, as frozen structs. It needs nothing but msgspec: the service writes them and the clients read them."""
