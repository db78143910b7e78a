"""The user controller: who the caller is."""

from posthouse.api.context import Caller, controller
from posthouse.api.wire.accounts import UserInfoDto

router = controller("UserController")


@router.get("/user/info", operation_id="getUserInfo")
async def get_user_info(caller: Caller) -> UserInfoDto:
    return UserInfoDto.of(caller)
