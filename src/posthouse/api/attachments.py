"""The attachment controller: files uploaded to be sent, and all attachments in one list."""

from typing import Annotated

from fastapi import Query, Request, Response, UploadFile

from posthouse.api.context import AttachmentPath, Caller, House, controller, told_as
from posthouse.api.emails import attachment_response
from posthouse.api.wire.common import Line
from posthouse.api.wire.mail import (
    AttachmentEntityDto,
    AttachmentListQuery,
    AttachmentMetaData,
    AttachmentProjection,
    DownloadAttachmentDto,
    PageAttachmentEntity,
)
from posthouse.api.wire.sending import UploadAttachmentOptions
from posthouse.services.attachments import NewUpload

router = controller("AttachmentController")

BYTES = {"type": "string", "format": "binary"}


@router.get("/attachments", operation_id="getAttachments")
async def get_attachments(
    query: Annotated[AttachmentListQuery, Query()], caller: Caller, house: House
) -> PageAttachmentEntity:
    page = await house.attachments.page(
        caller.id,
        query.slice(),
        name=query.file_name_filter or "",
        inbox=query.inbox_id,
        email=query.email_id,
        sent=query.sent_email_id,
        include=query.include,
    )
    return PageAttachmentEntity.of(page, AttachmentProjection.of)


@router.delete("/attachments", operation_id="deleteAllAttachments", status_code=204)
async def delete_all_attachments(caller: Caller, house: House) -> None:
    """Deletes what was uploaded; what came with an email goes with it."""
    await house.attachments.delete_all(caller.id)


@router.post("/attachments", operation_id="uploadAttachment", status_code=201)
async def upload_attachment(options: UploadAttachmentOptions, caller: Caller, house: House) -> list[str]:
    return [(await house.attachments.upload(caller.id, options.to_domain())).id]


@router.post(
    "/attachments/bytes",
    operation_id="uploadAttachmentBytes",
    status_code=201,
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {"schema": BYTES}}}},
)
async def upload_attachment_bytes(
    request: Request,
    caller: Caller,
    house: House,
    filename: Line | None = None,
    content_type: Annotated[Line | None, Query(alias="contentType")] = None,
    content_id: Annotated[Line | None, Query(alias="contentId")] = None,
) -> list[str]:
    """The body is the file; its name may come in the query or in a header `filename`."""
    new = NewUpload(
        content=await request.body(),
        name=filename or request.headers.get("filename"),
        content_type=content_type or request.headers.get("content-type"),
        content_id=content_id,
    )
    return [(await house.attachments.upload(caller.id, new)).id]


@router.post("/attachments/multipart", operation_id="uploadMultipartForm", status_code=201)
async def upload_multipart_form(
    file: UploadFile,
    caller: Caller,
    house: House,
    filename: Line | None = None,
    content_type: Annotated[Line | None, Query(alias="contentType")] = None,
    content_id: Annotated[Line | None, Query(alias="contentId")] = None,
    named: Annotated[Line | None, Query(alias="x-filename")] = None,
    typed: Annotated[Line | None, Query(alias="contentTypeHeader")] = None,
) -> list[str]:
    """The file is the form's part `file`; what the query says of it goes before what the part says."""
    new = NewUpload(
        content=await file.read(),
        name=filename or named or file.filename,
        content_type=content_type or typed or file.content_type,
        content_id=content_id,
    )
    return [(await house.attachments.upload(caller.id, new)).id]


@router.get("/attachments/{attachmentId}", operation_id="getAttachment")
async def get_attachment(attachment_id: AttachmentPath, caller: Caller, house: House) -> AttachmentEntityDto:
    return AttachmentEntityDto.of(await house.attachments.get(caller.id, attachment_id))


@router.delete("/attachments/{attachmentId}", operation_id="deleteAttachment", status_code=204)
async def delete_attachment(attachment_id: AttachmentPath, caller: Caller, house: House) -> None:
    await house.attachments.delete(caller.id, attachment_id)


@router.get("/attachments/{attachmentId}/metadata", operation_id="getAttachmentInfo")
async def get_attachment_info(attachment_id: AttachmentPath, caller: Caller, house: House) -> AttachmentMetaData:
    return AttachmentMetaData.of(await house.attachments.get(caller.id, attachment_id))


@router.get("/attachments/{attachmentId}/base64", operation_id="downloadAttachmentAsBase64Encoded")
async def download_attachment_as_base64_encoded(
    attachment_id: AttachmentPath, caller: Caller, house: House
) -> DownloadAttachmentDto:
    entry, content = await house.attachments.content(caller.id, attachment_id)
    return DownloadAttachmentDto.of(content, entry.content_type)


@router.get(
    "/attachments/{attachmentId}/bytes",
    operation_id="downloadAttachmentAsBytes",
    response_class=Response,
    responses=told_as("*/*"),
)
async def download_attachment_as_bytes(attachment_id: AttachmentPath, caller: Caller, house: House) -> Response:
    entry, content = await house.attachments.content(caller.id, attachment_id)
    return attachment_response(content, entry.content_type, entry.name)
