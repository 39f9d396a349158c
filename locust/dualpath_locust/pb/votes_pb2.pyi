from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Route(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROUTE_UNSPECIFIED: _ClassVar[Route]
    ROUTE_REST: _ClassVar[Route]
    ROUTE_GRPC: _ClassVar[Route]
    ROUTE_BRIDGE: _ClassVar[Route]
ROUTE_UNSPECIFIED: Route
ROUTE_REST: Route
ROUTE_GRPC: Route
ROUTE_BRIDGE: Route

class Vote(_message.Message):
    __slots__ = ("name", "album", "year", "rank", "vote_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALBUM_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    VOTE_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    album: str
    year: str
    rank: str
    vote_id: str
    def __init__(self, name: _Optional[str] = ..., album: _Optional[str] = ..., year: _Optional[str] = ..., rank: _Optional[str] = ..., vote_id: _Optional[str] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("vote_id", "route", "partition", "offset")
    VOTE_ID_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    vote_id: str
    route: str
    partition: int
    offset: int
    def __init__(self, vote_id: _Optional[str] = ..., route: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class CastVotesRequest(_message.Message):
    __slots__ = ("votes",)
    VOTES_FIELD_NUMBER: _ClassVar[int]
    votes: _containers.RepeatedCompositeFieldContainer[Vote]
    def __init__(self, votes: _Optional[_Iterable[_Union[Vote, _Mapping]]] = ...) -> None: ...

class CastVotesResponse(_message.Message):
    __slots__ = ("accepted", "rejected", "results")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    accepted: int
    rejected: int
    results: _containers.RepeatedCompositeFieldContainer[VoteResult]
    def __init__(self, accepted: _Optional[int] = ..., rejected: _Optional[int] = ..., results: _Optional[_Iterable[_Union[VoteResult, _Mapping]]] = ...) -> None: ...

class VoteResult(_message.Message):
    __slots__ = ("receipt", "problem")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    receipt: Receipt
    problem: Problem
    def __init__(self, receipt: _Optional[_Union[Receipt, _Mapping]] = ..., problem: _Optional[_Union[Problem, _Mapping]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("status", "code", "title", "detail", "errors")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    status: int
    code: int
    title: str
    detail: str
    errors: _containers.RepeatedCompositeFieldContainer[FieldError]
    def __init__(self, status: _Optional[int] = ..., code: _Optional[int] = ..., title: _Optional[str] = ..., detail: _Optional[str] = ..., errors: _Optional[_Iterable[_Union[FieldError, _Mapping]]] = ...) -> None: ...

class FieldError(_message.Message):
    __slots__ = ("field", "message")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    field: str
    message: str
    def __init__(self, field: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class VoteEvent(_message.Message):
    __slots__ = ("name", "album", "year", "rank", "vote_id", "route", "received_at_us", "id_from_client")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALBUM_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    VOTE_ID_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_US_FIELD_NUMBER: _ClassVar[int]
    ID_FROM_CLIENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    album: str
    year: str
    rank: str
    vote_id: str
    route: Route
    received_at_us: int
    id_from_client: bool
    def __init__(self, name: _Optional[str] = ..., album: _Optional[str] = ..., year: _Optional[str] = ..., rank: _Optional[str] = ..., vote_id: _Optional[str] = ..., route: _Optional[_Union[Route, str]] = ..., received_at_us: _Optional[int] = ..., id_from_client: _Optional[bool] = ...) -> None: ...
