"""_methods.py - how do the methods of both clients have the parameters that _requests.py lists once?"""

import functools
import inspect
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from ._requests import SHARED, Request

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


def takes(make: Callable[P, Request]) -> Callable[[Callable[[S, Request], T]], Callable[Concatenate[S, P], T]]:
    """Makes a method of a request into one of the parameters that `make` makes it from."""
    def decorate(method: Callable[[S, Request], T]) -> Callable[Concatenate[S, P], T]:
        @functools.wraps(method)
        def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return method(self, make(*args, **kwargs))
        own, made = inspect.signature(method), inspect.signature(make)
        first = next(iter(own.parameters.values())).replace(kind=inspect.Parameter.POSITIONAL_ONLY)
        params = [first, *made.parameters.values()]
        if params[1].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            params[0] = first.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD)
        call.__signature__ = own.replace(parameters=params)  # type: ignore[attr-defined]
        told = [inspect.getdoc(method), "", inspect.getdoc(make)] + ([SHARED] if "extra" in made.parameters else [])
        call.__doc__ = "\n".join(line or "" for line in told)
        return call
    return decorate
