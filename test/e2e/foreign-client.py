"""A client that knows no proto file: it learns the API by reflection and calls it over mutual TLS.

usage: foreign-client.py ADDRESS IDENTITY_DIRECTORY list
       foreign-client.py ADDRESS IDENTITY_DIRECTORY start INSTANCE_NAME

Prints one JSON object. Needs Debian's python3-grpcio and python3-protobuf only.
"""
import json
import pathlib
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

REFLECTION = "grpc.reflection.v1.ServerReflection"


def reflection_messages():
    """The few fields of the reflection protocol that are used here, built by hand."""
    file = descriptor_pb2.FileDescriptorProto(name="reflection.proto", package="client", syntax="proto3")

    def message(name, *fields):
        entry = file.message_type.add(name=name)
        for field_name, number, kind, repeated, type_name in fields:
            entry.field.add(
                name=field_name,
                number=number,
                type=kind,
                label=3 if repeated else 1,
                type_name=type_name,
            )

    text, data, nested = 9, 12, 11
    message("Request", ("file_by_filename", 3, text, False, None), ("file_containing_symbol", 4, text, False, None),
            ("list_services", 7, text, False, None))
    message("Files", ("file_descriptor_proto", 1, data, True, None))
    message("Service", ("name", 1, text, False, None))
    message("Services", ("service", 1, nested, True, ".client.Service"))
    message("Failure", ("error_code", 1, 5, False, None), ("error_message", 2, text, False, None))
    message("Response", ("file_descriptor_response", 4, nested, False, ".client.Files"),
            ("list_services_response", 6, nested, False, ".client.Services"),
            ("error_response", 7, nested, False, ".client.Failure"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return class_of(pool, "client.Request"), class_of(pool, "client.Response")


def class_of(pool, name):
    descriptor = pool.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


class ReflectedApi:
    """Services of a server, as it describes them itself."""

    def __init__(self, channel):
        self.channel = channel
        self.request, self.response = reflection_messages()
        self.pool = descriptor_pool.DescriptorPool()
        self.added = set()

    def ask(self, **fields):
        call = self.channel.stream_stream(
            f"/{REFLECTION}/ServerReflectionInfo",
            request_serializer=self.request.SerializeToString,
            response_deserializer=self.response.FromString,
        )
        answer = next(iter(call(iter([self.request(**fields)]), timeout=10)))
        if answer.HasField("error_response"):
            raise RuntimeError(answer.error_response.error_message)
        return answer

    def services(self):
        return sorted(service.name for service in self.ask(list_services="*").list_services_response.service)

    def learn(self, **fields):
        """Adds the files of an answer to the pool, each after those it imports."""
        received = {}
        for data in self.ask(**fields).file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            received[file.name] = file

        def add(file):
            if file.name in self.added:
                return
            for dependency in file.dependency:
                if dependency in received:
                    add(received[dependency])
                elif dependency not in self.added:
                    self.learn(file_by_filename=dependency)
            self.pool.Add(file)
            self.added.add(file.name)

        for file in received.values():
            add(file)

    def call(self, service, method, body):
        if service not in self.known_services():
            self.learn(file_containing_symbol=service)
        descriptor = self.pool.FindServiceByName(service).FindMethodByName(method)
        request = class_of(self.pool, descriptor.input_type.full_name)
        response = class_of(self.pool, descriptor.output_type.full_name)
        invoke = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        answer = invoke(json_format.ParseDict(body, request()), timeout=60)
        return json_format.MessageToDict(answer)

    def known_services(self):
        known = set()
        for name in self.added:
            known.update(f"{self.pool.FindFileByName(name).package}.{service}"
                         for service in self.pool.FindFileByName(name).services_by_name)
        return known


def main():
    address, identity, verb, *arguments = sys.argv[1:]
    directory = pathlib.Path(identity)
    credentials = grpc.ssl_channel_credentials(
        (directory / "ca.pem").read_bytes(), (directory / "key.pem").read_bytes(), (directory / "cert.pem").read_bytes()
    )
    options = [("grpc.ssl_target_name_override", "hub.zor")]
    with grpc.secure_channel(address, credentials, options) as channel:
        api = ReflectedApi(channel)
        if verb == "list":
            answer = api.call("zor.v1.InstanceService", "ListInstances", {"parent": "hosts/-"})
            print(json.dumps({"services": api.services(), "instances": answer.get("instances", [])}))
        elif verb == "start":
            body = {"name": arguments[0], "requestId": "foreign-client-start"}
            print(json.dumps(api.call("zor.v1.InstanceService", "StartInstance", body)))
        else:
            raise SystemExit(f"unknown verb {verb}")


main()
