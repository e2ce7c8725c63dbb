"""Stored objects in an S3 bucket, through boto3 in threads."""
