# The least that a program with Python's grpcio does for the same answer: least-client.py ADDRESS IDENTITY. It parses nothing.
import sys

import grpc

address, identity = sys.argv[1:]
pem = {name: open(f"{identity}/{name}.pem", "rb").read() for name in ("ca", "key", "cert")}
channel = grpc.secure_channel(
    address,
    grpc.ssl_channel_credentials(pem["ca"], pem["key"], pem["cert"]),
    [("grpc.ssl_target_name_override", "hub.zor"), ("grpc.default_authority", "hub.zor")],
)
print(len(channel.unary_unary("/zor.v1.HostService/ListHosts")(b"")))
