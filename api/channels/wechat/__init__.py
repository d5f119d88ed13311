"""The WeChat official account: pushes come in at `/wechat`, answers go back with them or by Tencent's interface."""
