"""The one exception for what a user can mend."""


class UserError(Exception):
    """A wrong parameter, bad data, no network: the message names the cause and the way out.

    Whoever runs a command sees the message alone, without a traceback.
    """
